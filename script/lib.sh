# Shared by script/run and script/test: a Python, what it needs of the system, an environment.
# Sourced, with `root` set to the repository; everything said goes to standard error.
# shellcheck shell=bash disable=SC2154  # root comes from the script that sources this

PATH=$PATH:/usr/sbin:/sbin

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

die() {
  say "$*"
  exit 1
}

# What the system lacks: package names, and why each is wanted. Filled by the want_* functions.
missing=()
reasons=()

want() { # package, why
  missing+=("$1")
  reasons+=("$1 ($2)")
}

want_library() { # soname, package, why
  [[ $(ldconfig -p 2>/dev/null) == *"$1"* ]] || want "$2" "$3"
}

want_command() { # command, package, why
  command -v "$1" >/dev/null || want "$2" "$3"
}

want_package() { # package, why: for what shows neither as a command nor as a library
  command -v dpkg-query >/dev/null || return 0
  [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]] || want "$1" "$2"
}

want_file() { # file, package, why
  [[ -e $1 ]] || want "$2" "$3"
}

# One call of apt for all that is missing; none where nothing is.
install_missing() {
  ((${#missing[@]})) || return 0
  local as_root=() listed output
  listed=$(printf ', %s' "${reasons[@]}")
  command -v apt-get >/dev/null ||
    die "this system lacks ${listed:2}; install it with the system's package manager"
  if (($(id -u))); then
    command -v sudo >/dev/null ||
      die "this system lacks ${listed:2}; run as root: apt-get install ${missing[*]}"
    as_root=(sudo)
  fi
  say "installing ${listed:2}"
  output=$(apt_install 2>&1) || {
    printf '%s\n' "$output" >&2
    die "apt-get failed, see above; by hand: apt-get install ${missing[*]}"
  }
  missing=()
  reasons=()
}

apt_install() {
  "${as_root[@]}" apt-get update -qq &&
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes \
      --no-install-recommends -o DPkg::Lock::Timeout=120 -o Dpkg::Use-Pty=0 "${missing[@]}"
}

refuse_32_bit() {
  local architecture
  architecture=$(dpkg --print-architecture 2>/dev/null || true)
  case $architecture in
    armel | armhf | i386)
      die "64-bit OS needed: this one is $architecture, for which the model's runtime is not built"
      ;;
  esac
}

# Sets python (a command) and version (3.11) from $PYTHON, else from the first that will do; where
# none does, python is empty and found says what there was.
find_python() {
  local candidates=(python3 python3.13 python3.12 python3.11) candidate seen=()
  python='' found=''
  [[ -z ${PYTHON:-} ]] || candidates=("$PYTHON")
  for candidate in "${candidates[@]}"; do
    version=$("$candidate" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue
    if [[ ${version%%.*} -eq 3 && ${version#*.} -ge 11 ]]; then
      python=$candidate
      [[ ${version#*.} -le 13 ]] || say "Python $version is newer than any this is tested with"
      return 0
    fi
    seen+=("$candidate is $version")
  done
  ((!${#seen[@]})) || found=$(printf '%s, ' "${seen[@]}" | sed 's/, $//')
}

# As find_python, but puts one there if there is none, and ends the script if it is too old.
need_python() {
  find_python
  if [[ -z $python && -z $found && -z ${PYTHON:-} ]]; then
    want python3 "to run at all"
    want python3-venv "for an environment of its own"
    install_missing
    find_python
  fi
  [[ -n $python ]] ||
    die "Python 3.11, 3.12 or 3.13 needed; ${found:-${PYTHON:-python3} cannot be run}. Debian 12, Raspberry Pi OS Bookworm and newer have one"
  [[ $("$python" -c 'import struct; print(struct.calcsize("P"))') == 8 ]] ||
    die "64-bit OS needed: $python is a 32-bit program, for which the model's runtime is not built"
  "$python" -c 'import venv, ensurepip' 2>/dev/null || want "python$version-venv" "for an environment of its own"
}

# What every command needs of the system beside Python.
want_runtime() {
  want_library libportaudio.so.2 libportaudio2 "to hear the microphone"
  want_file /etc/ssl/certs/ca-certificates.crt ca-certificates "to fetch the model and talk TLS"
}

# Makes .venv/NAME, or makes it anew where it is broken or was made for another folder.
make_environment() { # name
  environment=$root/.venv/$1
  if [[ $("$environment/bin/python" -c 'import pip, sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) == "$version" &&
    $(cat "$environment/made-for" 2>/dev/null) == "$root" ]]; then
    return 0
  fi
  say "making .venv/$1"
  rm -rf "$environment"
  "$python" -m venv "$environment" || die "$python cannot make an environment, see above"
  echo "$root" >"$environment/made-for"
}

# pip install in the environment, unless this was done already for this pyproject.toml.
install_once() { # stamp, words for a person, arguments of pip …
  local stamp=$environment/$1 hash
  hash=$(sha256sum "$root/pyproject.toml")
  [[ $(cat "$stamp" 2>/dev/null) != "$hash" ]] || return 0
  say "installing $2"
  shift 2
  (cd "$root" && "$environment/bin/python" -m pip install --quiet --disable-pip-version-check "$@") >&2 ||
    die "pip failed, see above"
  echo "$hash" >"$stamp"
}
