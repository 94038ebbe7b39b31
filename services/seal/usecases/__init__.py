"""What seal does, one function per verb."""
