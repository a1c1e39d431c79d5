"""File systems behind one interface: local, Beam's and TensorFlow's. It does not import TFX."""
