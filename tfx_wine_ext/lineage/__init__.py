"""The runs of pipelines, read from any ML Metadata store; no TFX import.

In the order of their use::

    snapshot = Snapshot.read(open_store("metadata.db"))    # store, snapshot
    found = runs(snapshot, "wine_quality")                 # runs
    what_moved(found[-2], found[-1])["sentences"]          # moved
    history_document(found, "wine_quality", "metadata.db") # history

`graph` draws what lies around an artifact, `evaluation` reads the files of one, and `events` has
walks on an open store. docs/lineage.md says from where each part is read.
"""
