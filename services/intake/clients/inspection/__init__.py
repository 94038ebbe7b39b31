"""What a file from outside is and whether it may come in: type, size when unpacked, active content, names.

`kinds.media_type_of` tells the type. Parsers meet a file in a process of their own with little memory and
time: `runner.ParserProcesses` asks, `server` forks one for each file. What is kept of an image is written
anew without its metadata.
"""
