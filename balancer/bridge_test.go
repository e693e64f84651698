package balancer

import (
	"fmt"
	"testing"

	"scalelite/store"
	"scalelite/store/storetest"
)

func TestReservedBridgeIsNeverDerived(t *testing.T) {
	var k store.MeetingKey
	for i := 0; bridgeNumber(k, 0, 5) != reservedBridge; i++ {
		k.ID = fmt.Sprintf("meeting-%d", i)
	}
	err := storetest.Open(t).View(t.Context(), func(tx *store.Tx) error {
		got, err := freeBridge(tx, k, "", 5)
		if got == reservedBridge || len(got) != 5 {
			t.Errorf("meeting %s, which derives the reserved number first, got %q", k, got)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
