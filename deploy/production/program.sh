# shellcheck shell=bash
# The program: each version in a folder of its own, so that the new one is built beside the one that runs.
#   /opt/asterisk-admin/releases/<digest>/{app,venv}, current -> releases/<digest>, app and venv -> current/...

readonly releases=$home/releases
# What runs, and what says how to install it.
readonly program_files=(webapp schema asterisk-conf deploy docs setup.cfg pyproject.toml constraints.txt
    README.md CHANGELOG.md .env.example)

current_release() {
    basename "$(readlink "$home/current" 2>/dev/null)" 2>/dev/null || true
}

pack_program() {
    tar --create --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --mode='u=rwX,go=rX' \
        --exclude=__pycache__ --exclude='*.egg-info' "${program_files[@]}"
}

build_program() {
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fail "Python 3.11 or newer is needed."
    release=$({ pack_program && python3 --version; } | sha256sum | cut --characters=1-12)
    local folder=$releases/$release
    [ ! -e "$folder/complete" ] || return 0
    say "Installing the program to $folder"
    rm -rf "$folder"
    install --directory --mode=755 "$folder/app"
    pack_program | tar --extract --directory="$folder/app" --no-same-owner
    quietly python3 -m venv "$folder/venv"
    quietly "$folder/venv/bin/python" -m pip install --no-cache-dir --disable-pip-version-check \
        --constraint constraints.txt --editable "$folder/app" ||
        fail "The Python packages could not be installed: see above and $log. Is the network there?"
    rm -rf "$folder/app/asterisk_admin.egg-info"
    # Those who run it may not write here.
    quietly "$folder/venv/bin/python" -m compileall -q "$folder/app/webapp" "$folder/app/schema"
    touch "$folder/complete"
}

# Runs asterisk-admin of the new version, with the settings of the web and as its user.
program() (
    set -a
    # shellcheck source=/dev/null
    . "$settings/web.env"
    cd /
    exec runuser --user asterisk-admin -- "$releases/$release/venv/bin/asterisk-admin" "$@"
)

# From here on the new version is the one. The last stays, in case it must be gone back to.
use_program() {
    local before each
    before=$(current_release)
    if [ "$before" != "$release" ]; then
        ln --symbolic --force --no-dereference "releases/$release" "$home/current.new"
        mv --no-target-directory "$home/current.new" "$home/current"
        note web
        note agent
    fi
    link current/app "$home/app"
    link current/venv "$home/venv"
    for each in "$releases"/*; do
        case $(basename "$each") in
            "$release" | "$before") ;;
            *) [ "$before" = "$release" ] || rm -rf "$each" ;;
        esac
    done
    filled asterisk-admin | put /usr/local/bin/asterisk-admin 755 root:root || true
}
