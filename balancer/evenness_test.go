package balancer

import (
	"fmt"
	"testing"
)

// evennessDays is how many school days are simulated, each with its own seed.
const evennessDays = 12

// TestEvenness: on school days the rule by which meetings are placed comes close
// to one that knows beforehand how many people will come, and beats both round
// robin and the rule that counts 1 for a meeting until the next poll.
func TestEvenness(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it reckons through days, in one goroutine")
	}
	days := map[string][]float64{}
	for seed := range uint64(evennessDays) {
		figures := evennessOf(seed)
		line := fmt.Sprintf("seed %2d:", seed)
		for _, rule := range rules {
			e := figures[rule.name]
			days[rule.name] = append(days[rule.name], e.day)
			line += fmt.Sprintf("  %s %.2f (worst %.2f)", rule.name, e.day, e.worst)
		}
		t.Log(line)
		for _, other := range []string{"count1", "roundrobin"} {
			if figures["ours"].day >= figures[other].day {
				t.Errorf("seed %d: ours is %.2f, no better than %s with %.2f", seed, figures["ours"].day, other, figures[other].day)
			}
		}
	}
	ours, best := average(days["ours"]), average(days["oracle"])
	t.Logf("ours %.3f, oracle %.3f: %.3f times the oracle", ours, best, ours/best)
	if ours > 1.25*best {
		t.Errorf("ours is %.3f on average, more than 1.25 times the oracle's %.3f", ours, best)
	}
}

// BenchmarkEvenness reports how even the load is by each rule, on average over
// the school days: highest load of a server ÷ mean load.
func BenchmarkEvenness(b *testing.B) {
	sums := map[string]evenness{}
	for b.Loop() {
		clear(sums)
		for seed := range uint64(evennessDays) {
			for name, e := range evennessOf(seed) {
				sum := sums[name]
				sums[name] = evenness{day: sum.day + e.day/evennessDays, worst: sum.worst + e.worst/evennessDays}
			}
		}
	}
	for _, rule := range rules {
		b.ReportMetric(sums[rule.name].day, rule.name)
		b.ReportMetric(sums[rule.name].worst, rule.name+"-worst")
	}
	b.ReportMetric(0, "ns/op") // how long it takes to simulate a day says nothing
}

// evennessOf simulates a day with every rule.
func evennessOf(seed uint64) map[string]evenness {
	figures := map[string]evenness{}
	day := newSchoolDay(seed)
	for _, rule := range rules {
		figures[rule.name] = simulate(day, rule.start(day))
	}
	return figures
}
