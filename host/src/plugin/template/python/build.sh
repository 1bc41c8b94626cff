#!/bin/sh
# Builds {{name}}.wasm with the componentize-py of requirements.txt.
set -eu
cd "$(dirname "$0")"
componentize-py --quiet --wit-path wit --world {{hook}}-plugin \
  componentize --stub-wasi --python-path src --output {{name}}.wasm plugin
