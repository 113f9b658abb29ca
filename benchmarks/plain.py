"""gunicorn's configuration for the servers compared with the project, as in uvicorn-worker's documentation."""

import os

bind = f"127.0.0.1:{os.environ['API_PORT']}"
workers = int(os.environ["WEB_CONCURRENCY"])
worker_class = "uvicorn_worker.UvicornWorker"
keepalive = 65
loglevel = "warning"  # of gunicorn's own log, not of the access log
control_socket_disable = True
