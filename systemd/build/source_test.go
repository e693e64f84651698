package main

import (
	"os/exec"
	"testing"
	"time"
)

func TestVersionOf(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 16, 9, 38, 0, time.UTC)
	for _, c := range []struct {
		described string
		changed   bool
		want      string
	}{
		{"", false, "0.0.0+git20261123160938.8f22cfc"},
		{"v1.2.3-0-g8f22cfc", false, "1.2.3"},
		{"v1.2.3-4-g8f22cfc", false, "1.2.3+git20261123160938.8f22cfc"},
		{"v1.2.3-0-g8f22cfc", true, "1.2.3+git20261123160938.8f22cfc.changed"},
		{"v1.3.0-rc.1-0-g8f22cfc", false, "1.3.0~rc.1"},
	} {
		got := versionOf(c.described, "8f22cfc", c.changed, at)
		if got != c.want {
			t.Errorf("%q, changed %v: %s, want %s", c.described, c.changed, got, c.want)
		}
		if !versions.MatchString(got) {
			t.Errorf("%s is no version", got)
		}
	}
}

// TestVersionsSort: dpkg takes a later version for a later one.
func TestVersionsSort(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("dpkg"); err != nil {
		t.Skip("dpkg is needed")
	}
	sorted := []string{"0.0.0+git20261123160938.8f22cfc", "1.3.0~rc.1", "1.3.0", "1.3.0+git20261123160938.8f22cfc", "1.3.1"}
	for i := range len(sorted) - 1 {
		if err := exec.Command("dpkg", "--compare-versions", sorted[i], "lt", sorted[i+1]).Run(); err != nil {
			t.Errorf("%s is not before %s: %v", sorted[i], sorted[i+1], err)
		}
	}
}

func TestRefusedVersions(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"v1.2.3", "1.2.3-1", "1:2.3", "1.2/3", "1.2 3", ""} {
		if versions.MatchString(version) {
			t.Errorf("%q is taken", version)
		}
	}
}
