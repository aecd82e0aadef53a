# docker build -t ratchet . && docker run --rm ratchet
# With state kept: docker run --rm -v ratchet-home:/home/ratchet/.ratchet -p 8123:8123 ratchet serve
FROM python:3.11-slim

# bash and make run the install; procps and git are what Ray and the record of the code's revision look for.
RUN apt-get update \
    && apt-get install -y --no-install-recommends bash git make procps \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 ratchet \
    && install -d -o ratchet -g ratchet /app /home/ratchet/.ratchet

USER ratchet
WORKDIR /app
ENV PATH=/app/.venv/bin:$PATH \
    RATCHET_HOME=/home/ratchet/.ratchet \
    RATCHET_SERVE__HOST=0.0.0.0 \
    RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO=0 \
    RAY_USAGE_STATS_ENABLED=0 \
    TOKENIZERS_PARALLELISM=false

COPY --chown=ratchet:ratchet . .
RUN make install PYTHON=python3.11 && pip install -qq -e '.[postgres]' && rm -rf /home/ratchet/.cache

EXPOSE 8123
VOLUME /home/ratchet/.ratchet
ENTRYPOINT ["ratchet"]
CMD ["--help"]
