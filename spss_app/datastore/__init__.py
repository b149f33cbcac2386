"""Where images and labels lie: MONAI Label's datastores, hardened."""
