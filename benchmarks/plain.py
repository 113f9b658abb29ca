"""How gunicorn serves what the project is compared with: as uvicorn-worker's documentation has it, and no more."""

import os

bind = f"127.0.0.1:{os.environ['API_PORT']}"
workers = int(os.environ["WEB_CONCURRENCY"])
worker_class = "uvicorn_worker.UvicornWorker"
keepalive = 65
loglevel = "warning"  # of what gunicorn says itself, not of the line for each request
control_socket_disable = True
