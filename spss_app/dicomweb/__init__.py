"""A PACS as the datastore: series in, planes to the ledger, DICOM SEG back."""
