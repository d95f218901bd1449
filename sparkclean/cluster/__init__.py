"""The method over a cluster: admission, scan, passes, flags, pipeline.

``batches``, ``kernels`` and ``scan`` run on executors and import numpy and pyarrow only.
"""
