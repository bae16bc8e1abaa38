"""Small networks, trained in minutes on two cores, so that exports are measured on trained weights: no model zoo.

    python -m benchmarks.upstream.training FAMILY SET --out DIR [--minutes N]

They see good frames alone (`train/good`, those that build the variation model too) and anomalies made up here
(`synthetic`); what the test composes its leftovers from is not among the textures. Nothing is tuned on a test folder.
"""
