"""Event files of TensorBoard, read without TensorFlow.

`records` knows the framing of the files, `messages` the few messages in them, `scalars` what a value is and what a tag
means, `survey` looks through a folder once, `folders` tells which folders are runs, `reading` makes runs of them.
"""
