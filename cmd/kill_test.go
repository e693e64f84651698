package cmd

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"scalelite/balancer/bbbtest"
	"scalelite/store"
	"scalelite/store/kv/boltkv"
)

const (
	killRounds  = 50
	killClients = 16
)

// ledger is what one client was told. A change whose answer did not arrive may
// have happened or not: it is in doubt until the next one of the same thing.
type ledger struct {
	mu       sync.Mutex
	meetings map[string]bool // acknowledged: there or ended
	servers  map[string]bool // acknowledged: URL and tag
	doubt    map[string]bool
}

func (l *ledger) settle(id string, there bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.meetings[id] = there
	delete(l.doubt, id)
}

func (l *ledger) doubted(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.doubt[id] = true
}

// TestKilledProcessKeepsWhatItAnswered (T57): SIGKILL at random moments while
// clients create and end meetings and change servers. Whatever was answered is
// there after the restart, and the database is sound.
func TestKilledProcessKeepsWhatItAnswered(t *testing.T) {
	rounds := killRounds
	if testing.Short() {
		rounds = 5
	}
	p := newProcess(t, "poll_interval = \"1s\"")
	for i := range 3 {
		server := bbbtest.Start(t, bbbtest.Options{})
		if _, errOut, err := p.run("servers", "add", server.URL(), server.Secret(), "--id", fmt.Sprint("bbb", i), "--enable"); err != nil {
			t.Fatalf("servers add: %v: %s", err, errOut)
		}
	}
	l := &ledger{meetings: map[string]bool{}, servers: map[string]bool{}, doubt: map[string]bool{}}
	for round := range rounds {
		p.start()
		var clients sync.WaitGroup
		for client := range killClients {
			clients.Go(func() { work(p, l, round, client) })
		}
		time.Sleep(20*time.Millisecond + rand.N(150*time.Millisecond)) // the moment of the failure, not a wait for anything
		p.kill()
		clients.Wait()
		inspect(t, p, l, round)
		if t.Failed() {
			return
		}
	}
	var there int
	for _, is := range l.meetings {
		if is {
			there++
		}
	}
	if there == 0 || len(l.servers) == 0 {
		t.Errorf("nothing was acknowledged: %d meetings, %d servers", there, len(l.servers))
	}
	t.Logf("%d rounds: %d meetings and %d servers acknowledged, %d meetings in doubt", rounds, len(l.meetings), len(l.servers), len(l.doubt))
}

// work creates and ends meetings and changes a server until the process is gone.
func work(p *process, l *ledger, round, client int) {
	var mine []string
	for n := 0; ; n++ {
		switch {
		case client == 0:
			if !changeServer(p, l, round, n) {
				return
			}
		case n%4 == 3:
			id := mine[len(mine)-1]
			mine = mine[:len(mine)-1]
			reply, err := p.get("end", "meetingID", id)
			if err != nil {
				l.doubted(id)
				return
			}
			if reply.OK {
				l.settle(id, false)
			}
		default:
			id := fmt.Sprintf("meeting-%d-%d-%d", round, client, n)
			reply, err := p.get("create", "meetingID", id, "name", "A class")
			if err != nil {
				l.doubted(id)
				return
			}
			if reply.OK {
				l.settle(id, true)
			}
			mine = append(mine, id)
		}
	}
}

func changeServer(p *process, l *ledger, round, n int) bool {
	tag := fmt.Sprintf("tag-%d-%d", round, n)
	if n%2 == 1 {
		tag = ""
	}
	id := fmt.Sprint("extra-", round, "-", n/2)
	body := fmt.Sprintf(`{"server":{"url":"https://%s.example.org/bigbluebutton/api","secret":"s","tag":%q}}`, id, tag)
	status, err := p.manage("addServer", body)
	if err != nil {
		return false
	}
	if status == http.StatusCreated {
		l.mu.Lock()
		l.servers[fmt.Sprintf("https://%s.example.org/bigbluebutton/api/%s", id, tag)] = true
		l.mu.Unlock()
	}
	return true
}

// inspect opens the database of the dead process.
func inspect(t *testing.T, p *process, l *ledger, round int) {
	t.Helper()
	ctx := context.Background()
	engine, err := boltkv.Open(ctx, p.database(), boltkv.Options{})
	if err != nil {
		t.Fatalf("round %d: %v", round, err)
	}
	s, err := store.New(ctx, engine, store.Options{})
	if err != nil {
		t.Fatalf("round %d: %v", round, err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Errorf("round %d: %v", round, err)
		}
	}()
	if err := engine.Check(ctx); err != nil {
		t.Errorf("round %d: the database is damaged: %v", round, err)
	}
	if err := s.Check(ctx); err != nil {
		t.Errorf("round %d: the index differs from the data: %v", round, err)
	}
	err = s.View(ctx, func(tx *store.Tx) error {
		compareMeetings(t, tx, l, round)
		return compareServers(t, tx, l, round)
	})
	if err != nil {
		t.Errorf("round %d: %v", round, err)
	}
}

func compareMeetings(t *testing.T, tx *store.Tx, l *ledger, round int) {
	for id, there := range l.meetings {
		if l.doubt[id] {
			continue
		}
		_, err := tx.Meeting(store.MeetingKey{ID: id})
		if is := err == nil; is != there {
			t.Errorf("round %d: meeting %s: in the database %v, acknowledged %v", round, id, is, there)
		}
	}
}

func compareServers(t *testing.T, tx *store.Tx, l *ledger, round int) error {
	found := map[string]bool{}
	for s, err := range tx.Servers() {
		if err != nil {
			return err
		}
		found[s.URL+"/"+s.Tag] = true
	}
	for url := range l.servers {
		if !found[url] {
			t.Errorf("round %d: server %s was acknowledged and is not there", round, url)
		}
	}
	return nil
}
