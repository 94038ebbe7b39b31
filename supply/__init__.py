"""What the release is made of: known vulnerabilities, bill of materials, licences, and nothing that must not leak."""
