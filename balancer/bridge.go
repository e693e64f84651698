package balancer

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"scalelite/store"
)

// bridgeTries is how many numbers are tried before a meeting is refused.
const bridgeTries = 10

// reservedBridge is the number that BBB keeps for its echo test.
const reservedBridge = "99999"

// maxBridgeDigits is the longest dial-in number that is taken from outside.
const maxBridgeDigits = 12

var errNoBridge = errors.New("no free voice bridge was found; raise balancer.voice_bridge_len")

// bridgeNumber is the try-th number for a meeting: digits digits, the first not
// 0, derived from the meeting alone, so that the same meeting gets the same
// number again while it is free.
func bridgeNumber(k store.MeetingKey, try, digits int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d\x00%s\x00%s", try, k.Tenant, k.ID))
	low := uint64(1)
	for range digits - 1 {
		low *= 10
	}
	return strconv.FormatUint(low+binary.BigEndian.Uint64(sum[:])%(9*low), 10)
}

// freeBridge returns a number that no other meeting has. wanted, the number
// that the create call asks for, is tried first if it is usable.
func freeBridge(tx *store.Tx, k store.MeetingKey, wanted string, digits int) (string, error) {
	if usableBridge(wanted) {
		free, err := bridgeIsFree(tx, k, wanted)
		if free || err != nil {
			return wanted, err
		}
	}
	for try := range bridgeTries {
		number := bridgeNumber(k, try, digits)
		if number == reservedBridge {
			continue
		}
		free, err := bridgeIsFree(tx, k, number)
		if free || err != nil {
			return number, err
		}
	}
	return "", errNoBridge
}

func bridgeIsFree(tx *store.Tx, k store.MeetingKey, number string) (bool, error) {
	holder, err := tx.MeetingByVoiceBridge(number)
	if errors.Is(err, store.ErrNotFound) {
		return true, nil
	}
	return err == nil && holder.MeetingKey == k, err
}

func usableBridge(number string) bool {
	return number != "" && len(number) <= maxBridgeDigits && number != reservedBridge &&
		number[0] != '0' && strings.Trim(number, "0123456789") == ""
}
