package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// What is promised of the federation, as shares of what RSA-2048 alone allows on the machine.
const (
	verifyShare = 0.5 // accepted activities, of verifying
	signShare   = 0.6 // deliveries, of signing
	slowest     = 5.0 // s, within which 99 % of the hosts that are well have what was put, at half of the load that signing allows
)

// benchFederation runs the load benchmarks of the federation package and prints their figures. Both sides of each ratio are
// measured in one run. The ratio that decides is that of processor time, which other programs on the machine do not change;
// the one by the clock is printed beside it.
func benchFederation(args []string) error {
	if len(args) != 0 {
		return errors.New("federation: wants no argument")
	}
	cmd := exec.Command("go", "test", "./federation", "-run", "^$", "-bench", "^Benchmark(InboxLoad|Delivery)$", "-benchtime", "1x", "-count", "1")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	inbox, delivery := readFigures(string(out), "BenchmarkInboxLoad"), readFigures(string(out), "BenchmarkDelivery")
	if len(inbox) == 0 || len(delivery) == 0 {
		return fmt.Errorf("no figures in %s", out)
	}
	fmt.Println("| federation | here | RSA-2048 alone | share by the clock | share of processor time | promised |\n|---|---|---|---|---|---|")
	fmt.Printf("| activities verified, durable and answered | %.0f/s | %.0f/s | %.2f | %.2f | %.2f |\n",
		inbox["accepted/s"], inbox["rsa-verify/s"], inbox["share"], inbox["share-of-cpu"], verifyShare)
	fmt.Printf("| deliveries, 1,000 followers on 200 hosts, 40 dead or slow | %.0f/s | %.0f/s | %.2f | %.2f | %.2f |\n",
		delivery["deliveries/s"], delivery["rsa-sign/s"], delivery["share"], delivery["share-of-cpu"], signShare)
	fmt.Printf("\nActivities taken and done: %.0f/s. 99 %% of deliveries to hosts that are well: within %.1f s of a change at half of the load that signing allows (promised %.0f), within %.1f s of four changes at once. Heap after 10 events more than before: %.1f MB. New connections for 8,000 deliveries: %.0f.\n",
		inbox["accepted-and-done/s"], delivery["p99-s-at-half-load"], slowest, delivery["p99-s-together"], delivery["grown-MB"], delivery["new-connections"])
	var failures []error
	if inbox["share-of-cpu"] < verifyShare {
		failures = append(failures, errors.New("fewer activities are accepted than promised"))
	}
	if delivery["share-of-cpu"] < signShare {
		failures = append(failures, errors.New("fewer deliveries are made than promised"))
	}
	if delivery["p99-s-at-half-load"] > slowest {
		failures = append(failures, errors.New("deliveries to hosts that are well come later than promised"))
	}
	return errors.Join(failures...)
}

// readFigures reads the line of a benchmark: pairs of a number and a unit.
func readFigures(out, name string) map[string]float64 {
	found := map[string]float64{}
	for line := range strings.Lines(out) {
		fields := strings.Fields(line)
		if len(fields) < 2 || !strings.HasPrefix(fields[0], name) {
			continue
		}
		for i := 2; i+1 < len(fields); i += 2 {
			if v, err := strconv.ParseFloat(fields[i], 64); err == nil {
				found[fields[i+1]] = v
			}
		}
	}
	return found
}
