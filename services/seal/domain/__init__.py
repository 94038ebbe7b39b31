"""What a seal is and what a sound sealing is (GB/T 38540-2020): pure functions over bytes, no clock, no files."""
