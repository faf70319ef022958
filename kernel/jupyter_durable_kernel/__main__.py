"""`python -m jupyter_durable_kernel -f CONNECTION_FILE`: what the kernelspec starts."""

from jupyter_durable_kernel.kernel import DurableKernelApp

if __name__ == "__main__":
    DurableKernelApp.launch_instance()
