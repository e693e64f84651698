#!/bin/bash
# Makes this BigBlueButton server send its recordings to the load balancer.
# Running it again changes nothing that is as it should be.
set -euo pipefail
export LC_ALL=C

# What the load balancer filled in. There is no secret among it.
balancer=@BALANCER@
server_id=@SERVER@
server_host=@HOST@
transfer=@TRANSFER@
ssh_user=@SSH_USER@
ssh_host=@SSH_HOST@
ssh_port=@SSH_PORT@
ssh_spool=@SSH_SPOOL@

user=bigbluebutton
scripts=/usr/local/bigbluebutton/core/scripts
hook=$scripts/post_publish/scalelite_send.rb
other_hook=$scripts/post_publish/scalelite_post_publish.rb
aside=$other_hook.replaced-by-scalelite-send
library=/usr/local/lib/scalelite-send
program=/usr/local/bin/scalelite-send
settings=/etc/bigbluebutton/recording/scalelite-sender.yml
units=/etc/systemd/system
logrotate=/etc/logrotate.d/scalelite-send
log=/var/log/bigbluebutton/scalelite-send.log
state=/var/bigbluebutton/scalelite
defaults=/usr/share/bbb-web/WEB-INF/classes/bigbluebutton.properties
overrides=/etc/bigbluebutton/bbb-web.properties

changes=0
new_key=no

usage() {
	cat <<'END'
usage: bbb-setup.sh [OPTION]...

  (none)             install, and test the way to the load balancer
  --existing         install, then send all recordings that are only here
  --background       with --existing: leave the sending to the timer
  --prune            install, then delete recordings that the load balancer has
                     with every format, in no fewer files and bytes
  --keep-days N      with --prune: leave those of the last N days (default 1)
  --dry-run          with --prune: only tell
  --test             only test what is installed
  --replace          put the hook of the Ruby system aside
  --ca-file FILE     trust the authorities in FILE (PEM) and no others
  --uninstall        remove everything that this script made, as does
                     scalelite-send uninstall
END
}

say() { printf '%s\n' "$*"; }
warn() { printf 'Warning: %s\n' "$*" >&2; }
die() {
	printf 'Error: %s\n' "$*" >&2
	exit 1
}
changed() {
	changes=$((changes + 1))
	say "  $*"
}
as_user() { runuser -u "$user" -- "$@"; }
# by NAME COMMAND... runs it with the rights of that user.
by() {
	if [ "$1" = root ]; then "${@:2}"; else runuser -u "$1" -- "${@:2}"; fi
}

# maker OWNER PATH prints who is to make PATH: root only where nobody else can
# lay a link in the way, to lead root astray.
maker() {
	case $2 in "$state"/*) ;; *) [ "$(stat -c '%U %F' "$(dirname "$2")")" != 'root directory' ] || set -- root ;; esac
	printf '%s' "$1"
}

# The files to install, as text.
@FILES@

# put OWNER MODE FILE writes standard input to FILE, as that user, if that is
# not what it holds.
put() {
	local owner=$1 mode=$2 file=$3 new was=updated
	new=$(by "$owner" mktemp "$(dirname "$file")/.scalelite.XXXXXX")
	by "$owner" tee "$new" >/dev/null
	by "$owner" chmod "$mode" "$new"
	if [ -f "$file" ] && by "$owner" cmp -s "$new" "$file" && [ "$(stat -c %a "$file")" = "${mode#0}" ]; then
		by "$owner" rm -f "$new"
		return
	fi
	[ -e "$file" ] || was=made
	by "$owner" mv -f "$new" "$file"
	changed "$was: $file"
}

# directory OWNER MODE PATH makes a directory, and remembers one that is not
# ours alone.
directory() {
	local owner=$1 mode=$2 path=$3 as
	[ ! -L "$path" ] || [[ $path != "$state"* ]] || die "$path is a link, which this script does not make; remove it, and run this again"
	if [ ! -d "$path" ]; then
		as=$(maker "$owner" "$path")
		if [ "$as" = root ]; then
			install -d -o "$owner" -g "$(id -gn "$owner")" -m "$mode" "$path"
		else
			by "$as" install -d -m "$mode" "$path"
		fi
		changed "made: $path/"
		case $path in "$library" | "$state"*) ;; *) say "$path" >>"$library/made" ;; esac
	elif [ "$(stat -c '%U %a' "$path")" != "$owner ${mode#0}" ] && [[ $path == "$library" || $path == "$state"* ]]; then
		[ "$(stat -c %U "$path")" = "$owner" ] || die "$path/ does not belong to $owner; change that, or remove it, and run this again"
		by "$owner" chmod "$mode" "$path"
		changed "mode set: $path/"
	fi
}

# property KEY DEFAULT prints a setting of bbb-web.
property() {
	local file value='' found=$2
	for file in "$defaults" "$overrides"; do
		[ -r "$file" ] || continue
		value=$(sed -n "s/^[[:space:]]*$1[[:space:]]*[=:][[:space:]]*//p" "$file" | tail -n 1 | tr -d '\r')
		[ -z "$value" ] || found=$value
	done
	printf '%s' "$found"
}

# recording_setting KEY DEFAULT prints a setting of the recording scripts.
recording_setting() {
	local file value='' found=$2
	for file in "$scripts/bigbluebutton.yml" /etc/bigbluebutton/recording/recording.yml; do
		[ -r "$file" ] || continue
		value=$(sed -n "s/^$1:[[:space:]]*//p" "$file" | tail -n 1 | tr -d "\"'\r")
		[ -z "$value" ] || found=$value
	done
	printf '%s' "$found"
}

# quoted TEXT prints it as a YAML string.
quoted() {
	local q="'"
	printf "'%s'" "${1//$q/$q$q}"
}

look_around() {
	local version='' name='' found=''
	say "Looking at this server"
	[ -d "$scripts/post_publish" ] || die "there is no $scripts/post_publish: is this a BigBlueButton server?"
	id "$user" >/dev/null 2>&1 || die "there is no user $user: is this a BigBlueButton server?"
	[ -r /etc/bigbluebutton/bigbluebutton-release ] &&
		version=$(sed -n 's/^BIGBLUEBUTTON_RELEASE=//p' /etc/bigbluebutton/bigbluebutton-release)
	say "  BigBlueButton ${version:-of an unknown version}"
	case $version in 0.* | 1.* | 2.0* | 2.1*) warn "versions before 2.2 run their hooks otherwise; recordings may have to be sent with --existing" ;; esac
	[ -x /usr/bin/ruby ] || die "there is no /usr/bin/ruby; install it with: apt-get install ruby"
	/usr/bin/ruby -e 'exit((RUBY_VERSION.split(".").map(&:to_i) <=> [2, 5]) >= 0)' ||
		die "$(/usr/bin/ruby -v) is too old: 2.5 is needed"
	/usr/bin/ruby -ropenssl -rjson -ryaml -rnet/http -e '' || die "the standard library of ruby is not complete; install libruby"
	if [ "$transfer" = ssh ]; then
		for name in rsync ssh ssh-keygen ssh-keyscan; do
			command -v "$name" >/dev/null || die "$name is missing; install it with: apt-get install rsync openssh-client"
		done
	fi
	[ -n "$(property securitySalt '')" ] || die "there is no securitySalt in $overrides or $defaults"
	name=$(property bigbluebutton.web.serverURL '')
	name=${name#*://}
	name=${name%%[/:]*}
	if [ -n "$name" ] && [ "${name,,}" != "${server_host,,}" ]; then
		warn "this server calls itself $name, and the load balancer calls it $server_host ($server_id). If that is another machine, stop and take the script for this one"
	fi
	[ -z "$ca_file" ] || as_user test -r "$ca_file" || die "$user cannot read $ca_file"
	case $transfer,$balancer in upload,http://*) warn "recordings will travel unencrypted to $balancer" ;; esac
}

other_system() {
	[ -e "$other_hook" ] || return 0
	if [ "$replace" = yes ]; then
		mv "$other_hook" "$aside"
		changed "put aside: $other_hook"
	else
		say "  left as it is: $other_hook. Each recording is sent by both hooks, which does no harm; --replace puts it aside"
	fi
}

install_files() {
	local name
	say "Installing"
	directory root 0755 "$library"
	directory root 0755 "$(dirname "$program")"
	directory root 0755 "$(dirname "$settings")"
	directory root 0755 "$(dirname "$logrotate")"
	directory "$user" 0755 "$(dirname "$log")"
	directory "$user" 0750 "$state"
	directory "$user" 0750 "$state/queue"
	directory "$user" 0750 "$state/confirmed"
	directory "$user" 0750 "$state/tmp"
	for name in settings recording queue confirmed balancer sender existing pruner commands; do
		put root 0644 "$library/$name.rb" < <(text_of "$name.rb")
	done
	put root 0700 "$library/uninstall" < <(uninstaller)
	put root 0755 "$program" < <(text_of scalelite-send)
	put root 0644 "$logrotate" < <(text_of scalelite-send.logrotate)
	put root 0644 "$settings" < <(settings_text)
	if [ ! -e "$log" ]; then
		if [ "$(maker "$user" "$log")" = root ]; then
			install -o "$user" -g "$(id -gn "$user")" -m 0640 /dev/null "$log"
		else
			as_user install -m 0640 /dev/null "$log"
		fi
		changed "made: $log"
	fi
	# The hook comes last: all that it needs is there.
	put root 0755 "$hook" < <(text_of scalelite_send.rb)
}

settings_text() {
	say "# Made by the setup script of the load balancer, which makes it anew when it runs."
	say "balancer: $(quoted "$balancer")"
	say "# The host under which the load balancer knows this server."
	say "server: $(quoted "$server_host")"
	say "transfer: $(quoted "$transfer")"
	[ "$transfer" = upload ] || say "ssh_target: $(quoted "scalelite-spool:$ssh_spool/")"
	[ -z "$ca_file" ] || say "ca_file: $(quoted "$ca_file")"
	say "published_dir: $(quoted "$(recording_setting published_dir /var/bigbluebutton/published)")"
	say "unpublished_dir: $(quoted "$(property unpublishedDir /var/bigbluebutton/unpublished)")"
	say "log_file: $(quoted "$log")"
}

install_timer() {
	local before=$changes
	put root 0644 "$units/scalelite-send.service" < <(text_of scalelite-send.service)
	put root 0644 "$units/scalelite-send.timer" < <(text_of scalelite-send.timer)
	if ! command -v systemctl >/dev/null; then
		warn "there is no systemd here: have 'scalelite-send run' run every minute"
		return
	fi
	if [ -d /run/systemd/system ]; then
		[ "$changes" = "$before" ] || systemctl daemon-reload
		if ! systemctl is-active -q scalelite-send.timer || ! systemctl is-enabled -q scalelite-send.timer; then
			systemctl enable -q --now scalelite-send.timer
			changed "started: scalelite-send.timer"
		fi
	elif [ "$(systemctl is-enabled scalelite-send.timer 2>/dev/null)" != enabled ]; then
		systemctl enable -q scalelite-send.timer
		changed "enabled: scalelite-send.timer (systemd does not run here; it starts with it)"
	fi
}

# The SSH side: a key of its own, the host's key, and a name for both.
ssh_home() { getent passwd "$user" | cut -d: -f6; }

install_ssh() {
	local home dir found
	# All below the home is done with the rights of its owner: where it can lay
	# links, root would follow them.
	say "Setting up SSH"
	home=$(ssh_home)
	directory "$user" 0755 "$home"
	dir=$home/.ssh
	directory "$user" 0700 "$dir"
	if [ ! -f "$dir/scalelite_ed25519" ]; then
		as_user ssh-keygen -q -t ed25519 -N '' -C "$user@$server_host" -f "$dir/scalelite_ed25519"
		changed "made: $dir/scalelite_ed25519"
		new_key=yes
	fi
	found=$(ssh-keyscan -T 15 -p "$ssh_port" "$ssh_host" 2>/dev/null | sort) || true
	[ -n "$found" ] || die "no SSH server answers at $ssh_host, port $ssh_port"
	if [ ! -f "$dir/scalelite_known_hosts" ]; then
		put "$user" 0644 "$dir/scalelite_known_hosts" <<<"$found"
		say "  $ssh_host has these keys; on the load balancer, 'ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub' must print one of them:"
		as_user ssh-keygen -lf "$dir/scalelite_known_hosts" | sed 's/^/    /'
	elif [ -z "$(comm -12 <(printf '%s\n' "$found") <(as_user sort "$dir/scalelite_known_hosts"))" ]; then
		die "$ssh_host shows other SSH keys than before. If that machine was set up anew: rm $dir/scalelite_known_hosts, and run this again"
	fi
	[ ! -f "$dir/config" ] || as_user test -r "$dir/config" || die "$user cannot read $dir/config; it must belong to $user"
	put "$user" 0600 "$dir/config" < <(
		ssh_block
		[ ! -f "$dir/config" ] || without_block "$dir/config"
	)
}

ssh_block() {
	cat <<END
# begin scalelite
Host scalelite-spool
	HostName $ssh_host
	Port $ssh_port
	User $ssh_user
	IdentityFile ~/.ssh/scalelite_ed25519
	IdentitiesOnly yes
	UserKnownHostsFile ~/.ssh/scalelite_known_hosts
	StrictHostKeyChecking yes
	ConnectTimeout 15
	ServerAliveInterval 30
# What follows is for all hosts, as it was.
Match all
# end scalelite
END
}

without_block() { as_user sed '/^# begin scalelite$/,/^# end scalelite$/d' "$1"; }

authorise() {
	say ""
	say "Now let this server in. On the load balancer, as root:"
	say ""
	say "  scalelite recordings authorize-key '$(as_user ssh-keygen -y -f "$(ssh_home)/.ssh/scalelite_ed25519" | cut -d' ' -f1,2) $user@$server_host'"
	say ""
}

# uninstaller prints a script that does what --uninstall does. It stays here, as
# no load balancer may be there any more, then, that knows this server.
uninstaller() {
	say "#!/bin/bash"
	say "# Removes everything that the setup script of the load balancer made."
	say "set -euo pipefail"
	say "export LC_ALL=C"
	declare -p user hook other_hook aside library program settings units logrotate log state
	say "changes=0"
	declare -f say warn die changed as_user by put ssh_home without_block remove uninstall
	say "uninstall"
}

uninstall() {
	local home dir waiting=0 path
	say "Removing"
	if [ -d "$state/queue" ]; then
		waiting=$(find "$state/queue" -type f ! -name '.*' | wc -l)
		[ "$waiting" = 0 ] || warn "$waiting recordings were not sent yet; they are still on this server"
	fi
	remove root "$hook"
	if [ -e "$aside" ] && [ ! -e "$other_hook" ]; then
		mv "$aside" "$other_hook"
		changed "put back: $other_hook"
	fi
	if command -v systemctl >/dev/null && [ -e "$units/scalelite-send.timer" ]; then
		if [ -d /run/systemd/system ]; then
			systemctl disable -q --now scalelite-send.timer
			systemctl stop scalelite-send.service
		else
			systemctl disable -q scalelite-send.timer
		fi
	fi
	# One that the hook started.
	if [ -x "$program" ] && command -v flock >/dev/null && [ -e "$state/sender.lock" ] && id "$user" >/dev/null 2>&1; then
		as_user flock -w 60 "$state/sender.lock" true || die "a sender is at work; wait for it or end it, then run this again"
	fi
	remove root "$units/scalelite-send.timer" "$units/scalelite-send.service" "$logrotate" "$settings" "$log" "$log".*
	home=$(ssh_home) || true
	dir=$home/.ssh
	if [ -n "$home" ] && [ -f "$dir/scalelite_ed25519" ]; then
		say "  take its key back on the load balancer: scalelite recordings revoke-key '$(as_user ssh-keygen -lf "$dir/scalelite_ed25519.pub" | cut -d' ' -f2)'"
		remove "$user" "$dir/scalelite_ed25519" "$dir/scalelite_ed25519.pub" "$dir/scalelite_known_hosts"
		if as_user test -r "$dir/config"; then
			put "$user" 0600 "$dir/config" < <(without_block "$dir/config")
			[ -s "$dir/config" ] || as_user rm -f "$dir/config"
		fi
	fi
	if [ -d "$state" ]; then
		rm -rf "$state"
		changed "removed: $state/"
	fi
	# What this can be run with again stays to the last.
	remove root "$program"
	if [ -f "$library/made" ]; then
		sort -r "$library/made" | while IFS= read -r path; do rmdir --ignore-fail-on-non-empty "$path" 2>/dev/null || true; done
	fi
	if [ -d "$library" ]; then
		rm -rf "$library"
		changed "removed: $library/"
	fi
	if [ -d /run/systemd/system ] && command -v systemctl >/dev/null; then systemctl daemon-reload; fi
	[ "$changes" != 0 ] || say "  nothing was there"
}

# remove OWNER FILE... removes what is there, as that user.
remove() {
	local file
	for file in "${@:2}"; do
		[ -e "$file" ] || continue
		by "$1" rm -f "$file"
		changed "removed: $file"
	done
}

main() {
	local action=install background=() prune=()
	replace=no
	ca_file=''
	while [ $# -gt 0 ]; do
		case $1 in
		--existing) action=existing ;;
		--background) background=(--background) ;;
		--prune) action=prune ;;
		--keep-days | --ca-file)
			[ $# -gt 1 ] || die "$1 needs a value"
			if [ "$1" = --ca-file ]; then ca_file=$(realpath -e "$2"); else prune+=(--keep-days "$2"); fi
			shift
			;;
		--dry-run) prune+=(--dry-run) ;;
		--test) action='test' ;;
		--replace) replace=yes ;;
		--uninstall) action=uninstall ;;
		--help)
			usage
			exit 0
			;;
		*)
			usage >&2
			exit 2
			;;
		esac
		shift
	done
	[ "$(id -u)" = 0 ] || die "this must be run as root: put sudo in front of bash"
	case $action in
	uninstall)
		uninstall
		return
		;;
	test)
		[ -x "$program" ] || die "nothing is installed yet; run this without --test first"
		exec "$program" test
		;;
	esac
	# A setting that was made before stays.
	if [ -z "$ca_file" ] && [ -f "$settings" ]; then
		ca_file=$(sed -n "s/^ca_file: '\(.*\)'$/\1/p" "$settings")
	fi
	look_around
	install_files
	[ "$transfer" = upload ] || install_ssh
	install_timer
	other_system
	[ "$changes" != 0 ] || say "  everything is as it should be, nothing was changed"
	if [ "$new_key" = yes ]; then
		authorise
		[ "$action" = install ] || say "After that, run this again for --$action."
		say "Then test it here: scalelite-send test"
		return
	fi
	say "Testing"
	if ! "$program" test; then
		[ "$transfer" = upload ] || authorise
		die "everything is in place, but recordings cannot be sent yet. They wait in $state/queue. Test again with: scalelite-send test"
	fi
	case $action in
	existing) exec "$program" existing "${background[@]}" ;;
	prune) exec "$program" prune "${prune[@]}" ;;
	esac
	say "Done. Recordings are sent as they are published; look with: scalelite-send status"
}

# All of it is here: half a script that a broken connection left does nothing.
main "$@" </dev/null
