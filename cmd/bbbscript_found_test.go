package cmd

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// aged sets the time at which BBB made the only format of a recording.
func (m *machine) aged(r made, age time.Duration) {
	m.t.Helper()
	at := time.Now().Add(-age)
	if err := os.Chtimes(m.root+"/var/bigbluebutton/published/"+r.formats[0]+"/"+r.id+"/metadata.xml", at, at); err != nil {
		m.t.Fatal(err)
	}
}

// looked sets since when the queue is kept, and when it was last looked for what
// no hook noted.
func (m *machine) looked(since, last time.Duration) {
	m.t.Helper()
	at := time.Now().Add(-last)
	writeFile(m.t, m.root+bbbState+"/looked", fmt.Sprint(time.Now().Add(-since).Unix()))
	if err := os.Chtimes(m.root+bbbState+"/looked", at, at); err != nil {
		m.t.Fatal(err)
	}
}

// due tells whether the timer's unit starts the sender now.
func (m *machine) due() bool {
	m.t.Helper()
	unit := m.must("cat", "/etc/systemd/system/scalelite-send.service")
	condition := regexp.MustCompile(`(?m)^ExecCondition=/bin/sh -c '(.*)'$`).FindStringSubmatch(unit)
	if condition == nil {
		m.t.Fatalf("no condition in %s", unit)
	}
	_, err := m.run("/bin/sh", "-c", condition[1])
	return err == nil
}

// What no hook noted is found within a day, once, and not sent if it is on the
// load balancer, too old, or from before the setup.
func TestSenderFindsWhatNoHookNoted(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	p := newProcess(t, "")
	p.start()
	m := newMachine(t, p)
	m.joinPool()
	m.mustSetup(nil)
	recording := func(name string) made {
		return made{id: id(name), meeting: "room", version: 1, formats: []string{"podcast"}}
	}
	known, lost, old, young := recording("known"), recording("lost"), recording("old"), recording("young")
	m.publish(known)
	m.must("scalelite-send", "existing")
	m.must("rm", bbbState+"/confirmed/"+known.id) // as if another sender had sent it
	m.publish(lost)
	m.publish(old)
	m.publish(young)
	m.aged(known, 2*day)
	m.aged(lost, 2*day)
	m.aged(old, 8*day)
	there := func(want ...string) {
		t.Helper()
		m.sendNow()
		if all, text := p.recordings(); len(all) != len(want) || slices.ContainsFunc(want, func(id string) bool { return all[id].ID == "" }) {
			t.Errorf("there is %s, want %q\n%s", text, want, m.log())
		}
	}
	looked := func(since, last time.Duration) {
		t.Helper()
		m.looked(since, last)
		if due := m.due(); due != (last > day) {
			t.Errorf("looked %s ago: the timer starts the sender: %v", last, due)
		}
	}
	there(known.id) // it was set up just now
	if m.due() {
		t.Error("the timer starts the sender without need")
	}
	looked(30*day, 23*time.Hour)
	there(known.id) // another hour to go
	looked(day, 25*time.Hour)
	there(known.id) // what was there before is left to --existing
	looked(30*day, 25*time.Hour)
	there(known.id, lost.id)
	if log := m.log(); strings.Count(log, known.id+": was sent") != 1 || !strings.Contains(log, known.id+": is on the load balancer already") || !strings.Contains(log, "2 recordings of the last days looked for") {
		t.Errorf("sent again, or not asked for:\n%s", log)
	}
	if m.due() {
		t.Error("the timer starts the sender again on that day")
	}
	m.sendNow()
	if n := strings.Count(m.log(), known.id+": is on the load balancer already"); n != 1 {
		t.Errorf("asked for %d times on one day", n)
	}
}

// A recording that was half noted is sent, be it by a full disk, by a former
// version of the hook, or while it waited already.
func TestSenderAdoptsWhatWasHalfNoted(t *testing.T) {
	t.Parallel()
	p := newProcess(t, "")
	p.start()
	m := newMachine(t, p)
	m.joinPool()
	m.mustSetup(nil)
	recording := func(name string) made {
		return made{id: id(name), meeting: "room", version: 1, formats: []string{"podcast"}}
	}
	full, cut, both := recording("full"), recording("cut"), recording("both")
	for _, r := range []made{full, cut, both} {
		m.publish(r)
	}
	queue := bbbState + "/queue"
	m.must("mount", "-t", "tmpfs", "-o", "size=128k,mode=0750,uid="+strings.TrimSpace(m.must("id", "-u", bbbUser)), "tmpfs", queue)
	m.must("sh", "-c", "cat /dev/zero > "+queue+"/ballast || true")
	if out := m.must("runuser", "-u", bbbUser, "--", "ruby", bbbHook, "-m", full.id); !strings.Contains(out, "No space left") {
		t.Errorf("the hook says %q", out)
	}
	m.must("sh", "-c", fmt.Sprintf("rm %[1]s/ballast; echo '{\"id' > %[1]s/.%[2]s.1; touch %[1]s/.%[3]s.4194304 %[1]s/.unfit.name.1; chown %[4]s: %[1]s/.*.[0-9]*", queue, cut.id, both.id, bbbUser))
	m.hook(both.id)
	if !m.due() {
		t.Error("the timer does not start the sender")
	}
	m.sent()
	if all, text := p.recordings(); len(all) != 3 {
		t.Errorf("%s\n%s", text, m.log())
	}
	if out := m.must("ls", "-A", queue); out != ".unfit.name.1\n" {
		t.Errorf("left in the queue: %q", out)
	}
}

// A job is on the disk before its name is, and its name before the hook ends.
func TestQueueOutlastsAPowerFailure(t *testing.T) {
	t.Parallel()
	p := newProcess(t, "")
	p.start()
	m := newMachine(t, p)
	m.joinPool()
	m.mustSetup(nil)
	out := m.must("runuser", "-u", bbbUser, "--", "ruby", "-e", `
%w[settings recording queue].each { |name| require "/usr/local/lib/scalelite-send/#{name}" }
File.prepend(Module.new { def fsync; super; $stdout.puts "sync #{File.ftype(path)}"; end })
File.singleton_class.prepend(Module.new { def rename(*); super; $stdout.puts 'rename'; end })
ScaleliteSend::Queue.new(ScaleliteSend::Settings::STATE).add('power', always: true)`)
	if want := "sync file\nrename\nsync directory\n"; out != want {
		t.Errorf("%q, want %q", out, want)
	}
}
