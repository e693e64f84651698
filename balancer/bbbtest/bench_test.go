package bbbtest

import (
	"fmt"
	"io"
	"net/http"
	"testing"
)

// BenchmarkGetMeetingInfo is the price of one simulated answer among 2,000
// meetings, over real sockets.
func BenchmarkGetMeetingInfo(b *testing.B) {
	s := Start(b, Options{})
	for i := range 2000 {
		if _, err := s.Create(map[string]string{"meetingID": fmt.Sprintf("m%d", i), "name": "ab"}); err != nil {
			b.Fatal(err)
		}
	}
	u := signed(s, "getMeetingInfo", "meetingID=m7")
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	defer transport.CloseIdleConnections()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			resp, err := (&http.Client{Transport: transport}).Get(u)
			if err != nil {
				b.Error(err)
				return
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
	})
}
