"""The life of a licence: orders carried out, versions and copies made, inspections kept, data erased."""
