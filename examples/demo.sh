#!/bin/sh
# The main job on a shipped sample: check it, train on it, score the tagger, tag a sentence. Seconds, no network, no torch.
set -e
BIN=${BIN:-.venv/bin}
OUT=$(mktemp -d)
trap 'rm -rf "$OUT"' EXIT
echo '$ onomast describe sample:swahili-news/train sample:swahili-news/test'
"$BIN/onomast" describe sample:swahili-news/train sample:swahili-news/test
echo
echo '$ onomast train sample:swahili-news/train --test sample:swahili-news/test --out model'
"$BIN/onomast" train sample:swahili-news/train --test sample:swahili-news/test --out "$OUT/model"
echo
echo '$ echo "Asha Mwinyi alisafiri kutoka Mombasa hadi Dar es Salaam siku ya Jumanne." | onomast tag model'
echo "Asha Mwinyi alisafiri kutoka Mombasa hadi Dar es Salaam siku ya Jumanne." | "$BIN/onomast" tag "$OUT/model"
