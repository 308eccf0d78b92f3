"""From gold codes to a model folder: data, fit, calibration, export. Needs the extra `train`."""
