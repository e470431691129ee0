# snacbench for users, with the versions of constraints.txt:
#   docker build -t snacbench . && docker run -v "$PWD/runs:/runs" snacbench run --codecs snac,opus -o /runs/today
FROM python:3.11-slim-bookworm
RUN apt-get update \
    && apt-get install -y --no-install-recommends g++ \
    && rm -rf /var/lib/apt/lists/*
COPY . /source
RUN cd /source \
    && export PIP_CONSTRAINT=/source/constraints.txt PIP_BUILD_CONSTRAINT=/source/constraints.txt \
    && pip install --no-cache-dir . \
    && rm -rf /source
# Downloads and records stay with the user: mount a volume here.
ENV SNACBENCH_CACHE=/cache SNACBENCH_STATE=/cache/state
VOLUME ["/cache"]
WORKDIR /work
ENTRYPOINT ["snacbench"]
