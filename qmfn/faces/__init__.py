"""Faces: read photos, align them to the ArcFace template, and run the LFW verification protocol.

`images` reads pictures and folders or tars of them, `align` finds and aligns faces in any photo, `samples`
collects the faces that designs are compared on, `verification` turns embeddings into accuracy, AUC, EER and
TAR@FAR.
"""
