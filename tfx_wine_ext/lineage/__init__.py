"""The runs of pipelines, read from any ML Metadata store; no TFX import.

In order of use::

    snapshot = Snapshot.read(open_store("metadata.db"))    # store, snapshot
    all_runs = runs(snapshot, "wine_quality")              # runs
    what_moved(all_runs[-2], all_runs[-1])["sentences"]    # moved
    history_document(all_runs, "wine_quality", "metadata.db")  # history

`graph` draws the neighbourhood of an artifact, `evaluation` reads the files of an evaluation, and
`events` walks the events of an open store. docs/lineage.md says where each value is read.
"""
