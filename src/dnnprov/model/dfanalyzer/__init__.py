"""The protocol of DfAnalyzer (UFRJ), as data: what its clients send, and the events that become of it.

`json_form` and `text_form` read what comes into `posts`; a `plan` says what values by position mean; `run_posts` turns
the posts of one run into events. Nothing here knows a socket or a file, so that a server and the classes in a process
share it.
"""
