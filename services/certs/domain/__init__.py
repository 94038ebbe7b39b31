"""What is true of licences, whoever asks and wherever they are stored. Pure."""
