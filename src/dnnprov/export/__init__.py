"""Export: a run as a W3C PROV document or a picture. The only place of `prov` and of Graphviz.

How an export goes through these modules, `exporting` calling one after the other:

    what was asked     exporting, formats              runs, format, and the `contents` that go into it
    read               run_reader, plan_reader         out of the database into the frozen records of `run_facts` and
                       element_reader, file_reader     `plan_facts`; `timeline` orders the epochs and adaptations
    made short         folding                         for pictures, and documents that are to be collapsed
    stated in PROV     prov_document                   with `run_statements`, `plan_statements`, names from `prov_names`
    a document         serialization                   by way of the serializers of `prov`
    or a picture       pictures                        which picture: `arranging` shows a document, `runs_picture` many
                                                       runs, `plan_picture` a plan; all make a `picture`, plain tuples
    drawn              drawing, graphviz_process       in a process of its own

`lineage_picture` draws answers of `analysis.lineage` with the last step; `vocabulary` is the OWL file of our terms.
"""
