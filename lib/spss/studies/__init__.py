"""What is kept beside the images of a study: its folders, its audit log, and the way in and out."""

from spss.studies.audit import AuditLog
from spss.studies.exporting import Exported, export_studies
from spss.studies.folders import Studies, find_folders, user_data_folder
from spss.studies.importing import Imported, import_dataset
from spss.studies.writers import FORMATS

__all__ = [
    "FORMATS",
    "AuditLog",
    "Exported",
    "Imported",
    "Studies",
    "export_studies",
    "find_folders",
    "import_dataset",
    "user_data_folder",
]
