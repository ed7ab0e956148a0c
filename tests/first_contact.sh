#!/usr/bin/env bash
# What a new user types, right and wrong, in a fresh environment with the core install alone (no torch, no extras).
# Every output is pinned in first_contact.txt, which a person has read; times are left out.
#   tests/first_contact.sh            run and compare
#   tests/first_contact.sh --update   run and write first_contact.txt: read the difference before you commit it
# FIRST_CONTACT_BIN: the bin folder of an environment that is there already.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bin=${FIRST_CONTACT_BIN:-}
if [ -z "$bin" ]; then
  "${PYTHON:-python3}" -m venv "$work/venv" || exit 1
  "$work/venv/bin/pip" install --quiet --disable-pip-version-check -c "$here/../constraints.txt" "$here/.." || exit 1
  bin=$work/venv/bin
fi
package=$("$bin/python" -c 'import onomast, pathlib; print(pathlib.Path(onomast.__file__).parent)') || exit 1
mkdir "$work/desk" && cd "$work/desk" || exit 1
export PATH="$bin:$PATH" COLUMNS=100 NO_COLOR=1 TERM=dumb PYTHONUTF8=1
unset ONOMAST_DATA
export ONOMAST_CACHE=$work/cache

printf 'Asha B-PER\nalirudi O\nDodoma B-LOC\n\nJuma I-PER\nalilala O\n\n' > mine.conll
printf 'Asha alisafiri kwenda Dodoma.\nJuma alilala Mombasa.\n' > text.txt
printf 'token,tag\nAsha,B-PER\n' > table.xlsx
printf '\377\376A\000' > utf16.txt
mkdir notes && echo hello > notes/mine.txt

: > "$work/seen"
try() {  # run one command line as a shell would; its output and exit status are what is pinned
  echo "\$ $1" >> "$work/seen"
  bash -o pipefail -c "$1" >> "$work/seen" 2>&1 < /dev/null
  printf '[exit %s]\n\n' "$?" >> "$work/seen"
}

try 'onomast --version'
try 'onomast'
try 'onomast trian mine.conll'
try 'onomast train mine.conll'
try 'onomast train sample:swahili-news --out model'
try 'onomast train sample:swahili-news --out model'
try 'onomast train sample:swahili-news/train --out notes'
try 'onomast train sample:swahili --out other'
try 'onomast train no-such-file.conll --out other'
try 'onomast train mine.conll --out other --recipe cfr'
try 'onomast train mine.conll --out other --recipe small'
try 'onomast train mine.conll --out other --recipe transformer'
try 'onomast train mine.conll --out other --recipe joint-sentence'
try 'onomast train mine.conll --out other --raw text.txt --recipe crf-fasttext'
try 'onomast train mine.conll --out other --budget 500'
try 'onomast train mine.conll --out other --set linear.c2'
try 'onomast train mine.conll --out other --recpie crf'
try 'onomast train data:masakhaner2/swa --out other'
try 'onomast train utf16.txt --out other'
try 'onomast check sample:english-news/train sample:english-news/test | tail -1'
try 'onomast check mine.conll'
try 'onomast describe sample:swahili-news/train'
try 'onomast evaluate model sample:swahili-news'
try 'onomast evaluate mdel sample:swahili-news/test'
try 'onomast score sample:swahili-news/train sample:swahili-news/test'
try 'onomast tag model text.txt'
try 'echo "Asha alirudi Dodoma." | onomast tag model'
try 'onomast tag model text.txt --out text.txt'
try 'onomast tag model no-such-text.txt'
try 'onomast tag model < /dev/null'
try 'onomast tag model sample:swahili-news/train --read columns 2> /dev/null | head -1 | cut -c -60'
try 'onomast tag model text.txt <&- >&-'
try 'onomast tag model <&-'
try 'onomast encoder train text.txt --out encoder'
try 'onomast vectors train text.txt --out vectors.bin'
try 'onomast grid run no-such-grid.toml'
try 'onomast recipes smal'
try 'onomast train mine.conll --recipe crf --out "my model" --set linear.c2=0.5 && grep "onomast t" "my model/README.md"'
try 'python -m onomast tag model text.txt --format columns'
try 'python -c "import onomast; print(onomast.load(\"model\").entities(\"Asha alirudi Dodoma.\"))"'
try 'python -c "import onomast; onomast.load(\"modle\")" 2>&1 | tail -1'

sed -E -e "s#$package#ONOMAST#g" -e 's#[0-9][0-9.,]* s( |$|;|\]|,)#… s\1#g' -e 's#[0-9,]+ tokens a second#… tokens a second#g' \
  -e 's#(train|tag)": [0-9.]+#\1": …#g' "$work/seen" > "$work/clean"
if grep -n 'Traceback' "$work/clean" | grep -v '^[0-9]*:\$'; then
  echo "first contact: a traceback reached the user"
  exit 1
fi
if [ "${1:-}" = "--update" ]; then
  cp "$work/clean" "$here/first_contact.txt"
  echo "wrote $here/first_contact.txt; read it"
elif diff -u "$here/first_contact.txt" "$work/clean"; then
  echo "first contact: $(grep -c '^\$ ' "$work/clean") commands answered as pinned"
else
  echo "first contact: outputs differ; if they are better, run tests/first_contact.sh --update and read the difference"
  exit 1
fi
