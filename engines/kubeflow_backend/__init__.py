"""Stands in for the backend of Kubeflow Pipelines v2 and Vertex AI, which need a Kubernetes."""
