#!/bin/sh
# The service `passwords` of compose.yaml. At the first start it makes a password for each user; at every start it writes
# the ACL files of Redis and, if there are users of theirs, of the Sentinels. Then it exits.
#   passwords.sh USER:OWNER[:VOLUME]...
# A password is stored in the volume that is named, else in the one that has the user's name, else in that of Redis. Only
# OWNER can read the file. The ACL files contain hashes only. NAMESPACE_A, NAMESPACE_B and ADD_PERMISSIONS change the rules of the
# programs and the page as described in deploy/acl/README.md.
set -eu
umask 077

# Print a user's rules, with CHANGE-ME in place of the password.
rules() {
  case $1 in
    server-a) program_rules "$1" "${NAMESPACE_A:-}" ;;
    server-b | page) program_rules "$1" "${NAMESPACE_B:-}" ;;
    *) cat "/rules/compose/users/$1.acl" ;;
  esac
}

program_rules() {
  case ${2:-} in
    *[!A-Za-z0-9_-]*) echo "the namespace of $1 may hold only A-Z a-z 0-9 _ -" >&2; exit 2 ;;
  esac
  sed -E "s/(%RW?~\{?)/\1${2:+$2:}/g; s/\$/ ${ADD_PERMISSIONS:-}/" "/rules/acl/$1.acl"
}

# Users of the Sentinels, which know other commands than Redis.
is_of_sentinels() {
  case $1 in
    watcher | asker-*) true ;;
    *) false ;;
  esac
}

acl=/volumes/redis/users.acl sentinels=/volumes/redis/sentinels.acl
for file in $acl $sentinels; do echo 'user default reset off' >$file.new; done
for given; do
  user=${given%%:*} rest=${given#*:}
  owner=${rest%%:*} volume=${rest#"${rest%%:*}"}
  volume=${volume#:}
  file=/volumes/${volume:-redis}/$user.password
  [ ! -d "/volumes/$user" ] || file=/volumes/$user/password
  if [ ! -s "$file" ]; then
    tr -dc A-Za-z0-9 </dev/urandom | head -c 40 >"$file.new"
    mv "$file.new" "$file"
    echo "made a password for $user"
  fi
  chmod 0400 "$file"
  chown "$owner" "$file"
  hash=$(sha256sum "$file" | cut -c 1-64)
  text=$(rules "$user")
  ! is_of_sentinels "$user" && target=$acl || target=$sentinels
  echo "$text" | sed "s/>CHANGE-ME/#$hash/" >>$target.new
  case $user in
    insight) # the connection that Redis Insight shows
      printf '[{"id": "handover", "name": "Handover", "host": "redis", "port": 6379, "username": "insight", "password": "%s"}]\n' \
        "$(cat "$file")" >/volumes/insight/databases.json
      chown "$owner" /volumes/insight/databases.json ;;
    replica) # the login of a replica at its primary
      printf 'masteruser replica\nmasterauth %s\n' "$(cat "$file")" >/volumes/redis/replica.conf
      chown "$owner" /volumes/redis/replica.conf ;;
  esac
done
for file in $acl $sentinels; do
  mv $file.new $file
  chown redis $file
done
