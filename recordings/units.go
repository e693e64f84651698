package recordings

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

const day = 24 * time.Hour

// ParseAge reads a duration that may be in days, "365d", or in Go's units,
// "36h". Empty is 0.
func ParseAge(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseFloat(days, 64)
		if err == nil && n >= 0 && n <= 100*365 {
			return time.Duration(n * float64(day)), nil
		}
	} else if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return d, nil
	}
	return 0, fmt.Errorf("%q is no age; write \"365d\", or \"36h\"", text)
}

var sizeUnits = map[string]float64{"": 1, "B": 1, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12,
	"KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30, "TIB": 1 << 40}

// ParseSize reads a number of bytes, "1GB" or "512MiB".
func ParseSize(text string) (int64, error) {
	digits := strings.TrimRight(text, "BKMGTIbkmgti ")
	unit, ok := sizeUnits[strings.ToUpper(strings.TrimSpace(text[len(digits):]))]
	n, err := strconv.ParseFloat(strings.TrimSpace(digits), 64)
	if !ok || err != nil || !(n >= 0 && n*unit <= math.MaxInt64/2) { // nor is NaN
		return 0, fmt.Errorf("%q is no size; write \"1GB\", or \"512MiB\"", text)
	}
	return int64(n * unit), nil
}
