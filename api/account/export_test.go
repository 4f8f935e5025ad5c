package account

import (
	"os"
	"testing"
)

// TestMain makes passwords cheap: the tests check hundreds.
func TestMain(m *testing.M) {
	cost.Memory, cost.Iterations = 8*1024, 1
	os.Exit(m.Run())
}
