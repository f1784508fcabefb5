// Command runc-wrapper stands before runc on machines that lack CAP_SYS_RESOURCE or cap the number of
// open files: there --privileged, a negative oom_score_adj and a high nofile limit make runc fail. It
// asks for less than the bundle does where the machine has less, and never for more; on a machine with
// everything it changes nothing.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

const runc = "/usr/sbin/runc"

const capSysResource = 24

var limits = map[string]int{
	"RLIMIT_CPU": 0, "RLIMIT_FSIZE": 1, "RLIMIT_DATA": 2, "RLIMIT_STACK": 3, "RLIMIT_CORE": 4,
	"RLIMIT_NPROC": 6, "RLIMIT_NOFILE": 7, "RLIMIT_MEMLOCK": 8, "RLIMIT_AS": 9,
}

type object = map[string]any

func main() {
	if !hasSysResource() {
		for _, target := range specifications(os.Args[1:]) {
			if err := rewrite(target); err != nil {
				fmt.Fprintf(os.Stderr, "runc-wrapper: %v\n", err)
				os.Exit(1)
			}
		}
	}
	err := syscall.Exec(runc, append([]string{runc}, os.Args[1:]...), os.Environ())
	fmt.Fprintf(os.Stderr, "runc-wrapper: %s: %v\n", runc, err)
	os.Exit(1)
}

func hasSysResource() bool {
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		if mask, found := strings.CutPrefix(line, "CapBnd:"); found {
			bits, _ := strconv.ParseUint(strings.TrimSpace(mask), 16, 64)
			return bits&(1<<capSysResource) != 0
		}
	}
	return true
}

// specifications names the files that runc will read: a whole bundle for a new container, a single
// process for one that joins it.
func specifications(args []string) []string {
	bundle := "."
	var process string
	for i, arg := range args {
		name, value, joined := strings.Cut(arg, "=")
		if !joined && i+1 < len(args) {
			value = args[i+1]
		}
		switch name {
		case "--bundle", "-b":
			bundle = value
		case "--process", "-p":
			process = value
		}
	}
	switch {
	case slices.Contains(args, "create") || slices.Contains(args, "run"):
		return []string{filepath.Join(bundle, "config.json")}
	case slices.Contains(args, "exec") && process != "":
		return []string{process}
	}
	return nil
}

func rewrite(path string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(strings.NewReader(string(content)))
	decoder.UseNumber() // Limits are 64 bit: a float would round them.
	var specification object
	if err := decoder.Decode(&specification); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	process := specification
	if inner, isBundle := specification["process"].(object); isBundle {
		process = inner
	}
	lower(process)
	content, err = json.Marshal(specification)
	if err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o600)
}

func lower(process object) {
	if sets, found := process["capabilities"].(object); found {
		for name, set := range sets {
			held, _ := set.([]any)
			sets[name] = slices.DeleteFunc(held, func(c any) bool { return c == "CAP_SYS_RESOURCE" })
		}
	}
	if score, found := process["oomScoreAdj"].(json.Number); found && strings.HasPrefix(score.String(), "-") {
		process["oomScoreAdj"] = 0
	}
	rlimits, _ := process["rlimits"].([]any)
	for _, entry := range rlimits {
		if rlimit, isObject := entry.(object); isObject {
			clamp(rlimit)
		}
	}
}

func clamp(rlimit object) {
	name, _ := rlimit["type"].(string)
	number, known := limits[name]
	var own syscall.Rlimit
	if !known || syscall.Getrlimit(number, &own) != nil {
		return
	}
	for _, bound := range []string{"soft", "hard"} {
		wanted, _ := rlimit[bound].(json.Number)
		if value, err := strconv.ParseUint(wanted.String(), 10, 64); err == nil && value > own.Max {
			rlimit[bound] = own.Max
		}
	}
}
