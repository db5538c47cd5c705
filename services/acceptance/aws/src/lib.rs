//! End to end on an AWS endpoint. Everything is in `tests`; what deploys is `deploy.py`.
