"""What has to be settled before numpy is loaded."""

import os


def keep_blas_to_one_thread() -> None:
    """Stop numpy from starting a thread for every core: it has little to do here, and the tagger has its own threads.

    A number that the user has set stays.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
