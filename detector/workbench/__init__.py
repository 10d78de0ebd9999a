"""Offline learning: labelled recordings become figures, calibrations and heads.

Never imported by what runs as a service.  Its heavy packages are the extra ``workbench``.
"""
