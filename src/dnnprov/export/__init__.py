"""Export: a run as a W3C PROV document or a picture. The only place of `prov` and of Graphviz.

`run_reader` reads a run out of the database into the frozen records of `run_facts`, `folding` makes a long run short,
`prov_document` states it in PROV, `picture` arranges the statements and `drawing` renders them; `formats` names the
formats and ties the steps together.
"""
