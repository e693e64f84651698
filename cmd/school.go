package cmd

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"scalelite/balancer/bbbtest"
)

// Bounds of the demo's school.
const (
	maxClasses     = 12
	lessonEvery    = 4 * time.Second // a new class begins
	arrivalEvery   = 300 * time.Millisecond
	shortestLesson = 30 * time.Second
	longestLesson  = 2 * time.Minute
	demoTimeout    = 10 * time.Second
)

var subjects = []string{"Algebra", "Art", "Biology", "Chemistry", "Chinese", "Drama", "English", "French",
	"Geography", "German", "History", "Informatics", "Latin", "Music", "Philosophy", "Physics", "Spanish", "Sport"}

// school lets classes come and go: each is created through the pool, its people
// join through the pool one after the other, stay a while and leave.
type school struct {
	front   demoFrontEnd
	servers []*bbbtest.Server
	log     *slog.Logger
	client  *http.Client
	running sync.WaitGroup
}

func newSchool(front demoFrontEnd, servers []*bbbtest.Server, log *slog.Logger) *school {
	return &school{
		front: front, servers: servers, log: log,
		client: &http.Client{Timeout: demoTimeout, Transport: &http.Transport{MaxIdleConnsPerHost: 16}},
	}
}

// start lets lessons begin until ctx ends; wait waits for the last of them.
func (s *school) start(ctx context.Context) {
	s.running.Go(func() {
		places := make(chan struct{}, maxClasses)
		ticks := time.NewTicker(lessonEvery)
		defer ticks.Stop()
		for n := 1; ; n++ {
			select {
			case places <- struct{}{}:
			case <-ctx.Done():
				return
			}
			s.running.Go(func() {
				defer func() { <-places }()
				if err := s.lesson(ctx, n); err != nil && ctx.Err() == nil {
					s.log.Warn("demo class ended early", "class", n, "cause", err)
				}
			})
			select {
			case <-ticks.C:
			case <-ctx.Done():
				return
			}
		}
	})
}

func (s *school) wait() {
	s.running.Wait()
	s.client.CloseIdleConnections()
}

// lesson is one class from its beginning to its end.
func (s *school) lesson(ctx context.Context, n int) error {
	id := fmt.Sprintf("class-%d", n)
	name := fmt.Sprintf("%s %d", subjects[rand.IntN(len(subjects))], 5+rand.IntN(8))
	if err := s.get(ctx, s.front.link("create", "name", name, "meetingID", id, "moderatorPW", "mp")); err != nil {
		return err
	}
	size := 3 + rand.IntN(28)
	for person := range size {
		role := "VIEWER"
		if person == 0 {
			role = "MODERATOR"
		}
		link := s.front.link("join", "meetingID", id, "fullName", fmt.Sprintf("Person %d", person+1), "role", role)
		if err := s.get(ctx, link); err != nil {
			return err
		}
		if !pause(ctx, arrivalEvery) {
			return nil
		}
	}
	s.cameras(id)
	if !pause(ctx, shortestLesson+rand.N(longestLesson-shortestLesson)) {
		return nil
	}
	s.dismiss(ctx, id)
	return s.get(ctx, s.front.link("end", "meetingID", id, "password", "mp"))
}

// cameras switches some cameras on.
func (s *school) cameras(id string) {
	for _, server := range s.servers {
		if m, ok := server.Meeting(id); ok {
			for i, user := range m.Attendees {
				if i%4 == 0 {
					_ = server.SetVideo(id, user.ID, true)
				}
			}
		}
	}
}

// dismiss lets the people leave one after the other.
func (s *school) dismiss(ctx context.Context, id string) {
	for _, server := range s.servers {
		m, ok := server.Meeting(id)
		if !ok {
			continue
		}
		for _, user := range m.Attendees {
			_ = server.Leave(id, user.ID)
			if !pause(ctx, arrivalEvery/3) {
				return
			}
		}
	}
}

func (s *school) get(ctx context.Context, link string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, link, nil)
	if err != nil {
		return err
	}
	response, err := s.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, io.LimitReader(response.Body, 1<<20))
	return err
}

// pause waits, and reports false if ctx ended meanwhile.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
