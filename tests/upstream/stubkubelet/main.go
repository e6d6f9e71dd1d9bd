// Command stub-kubelet serves the part of a kubelet's API that streams: logs, exec, attach and port-forward, with
// upstream's own streaming server. There is no container: a command runs as an ordinary process in one directory, what is
// attached to repeats what it is told, a forwarded port is a port of this machine. Only holders of a client certificate of
// the given CA get in. It prints "ready <port>" when it listens.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"
	remotecommandconsts "k8s.io/apimachinery/pkg/util/remotecommand"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/kubelet/pkg/cri/streaming/portforward"
	streaming "k8s.io/kubelet/pkg/cri/streaming/remotecommand"
	utilexec "k8s.io/utils/exec"
)

const (
	idle     = time.Hour
	creation = 10 * time.Second
)

// node runs what is asked for in one directory.
type node struct {
	directory string
}

// ExecInContainer runs a command. The end of its input is passed on; its output is passed on as it comes.
func (n node) ExecInContainer(ctx context.Context, _ string, _ types.UID, _ string, cmd []string, in io.Reader, out, errs io.WriteCloser, _ bool, _ <-chan remotecommand.TerminalSize, _ time.Duration) error {
	process := exec.CommandContext(ctx, cmd[0], cmd[1:]...)
	process.Dir = n.directory
	process.Stdout = out
	process.Stderr = errs
	if in != nil {
		// Not Stdin: Wait would then wait for the client to end its input.
		pipe, err := process.StdinPipe()
		if err != nil {
			return err
		}
		go func() {
			_, _ = io.Copy(pipe, in)
			_ = pipe.Close()
		}()
	}
	err := process.Run()
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		return utilexec.CodeExitError{Err: err, Code: ended.ExitCode()}
	}
	return err
}

// AttachContainer repeats its input.
func (n node) AttachContainer(_ context.Context, _ string, _ types.UID, _ string, in io.Reader, out, _ io.WriteCloser, _ bool, _ <-chan remotecommand.TerminalSize) error {
	if _, err := io.WriteString(out, "attached\n"); err != nil || in == nil {
		return err
	}
	_, err := io.Copy(out, in)
	return err
}

// PortForward connects to the port on this machine.
func (n node) PortForward(_ context.Context, _ string, _ types.UID, port int32, stream io.ReadWriteCloser) error {
	defer stream.Close()
	there, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(int(port))))
	if err != nil {
		return err
	}
	defer there.Close()
	up := make(chan struct{})
	go func() {
		defer close(up)
		_, _ = io.Copy(there, stream)
		_ = there.(*net.TCPConn).CloseWrite()
	}()
	_, err = io.Copy(stream, there)
	<-up
	return err
}

// logs writes three lines, and with ?follow=true one more every tenth of a second until nobody reads.
func (n node) logs(w http.ResponseWriter, r *http.Request) {
	flusher := w.(http.Flusher)
	w.Header().Set("Content-Type", "text/plain")
	for line := 1; ; line++ {
		if line > 3 {
			if r.FormValue("follow") != "true" {
				return
			}
			select {
			case <-r.Context().Done():
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
		if _, err := fmt.Fprintf(w, "%s line %d\n", r.PathValue("pod"), line); err != nil {
			return
		}
		flusher.Flush()
	}
}

func (n node) exec(w http.ResponseWriter, r *http.Request) {
	options, err := streaming.NewOptions(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	log.Printf("exec %q upgrade=%q", r.Form["command"], r.Header.Get("Upgrade"))
	streaming.ServeExec(w, r, n, r.PathValue("pod"), "", r.PathValue("container"), r.Form["command"], options, idle, creation, remotecommandconsts.SupportedStreamingProtocols)
}

func (n node) attach(w http.ResponseWriter, r *http.Request) {
	options, err := streaming.NewOptions(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	streaming.ServeAttach(w, r, n, r.PathValue("pod"), "", r.PathValue("container"), options, idle, creation, remotecommandconsts.SupportedStreamingProtocols)
}

func (n node) forward(w http.ResponseWriter, r *http.Request) {
	options, err := portforward.NewV4Options(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	portforward.ServePortForward(w, r, n, r.PathValue("pod"), "", options, idle, creation, portforward.SupportedProtocols)
}

func main() {
	directory := flag.String("directory", ".", "where commands run")
	certificate := flag.String("tls-cert-file", "", "serving certificate, PEM")
	key := flag.String("tls-private-key-file", "", "its key, PEM")
	clients := flag.String("client-ca-file", "", "who issued the certificates of those who may come, PEM")
	flag.Parse()
	authority, err := os.ReadFile(*clients)
	if err != nil {
		log.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(authority) {
		log.Fatal("no certificate in ", *clients)
	}
	n := node{directory: *directory}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /containerLogs/{namespace}/{pod}/{container}", n.logs)
	mux.HandleFunc("/exec/{namespace}/{pod}/{container}", n.exec)
	mux.HandleFunc("/attach/{namespace}/{pod}/{container}", n.attach)
	mux.HandleFunc("/portForward/{namespace}/{pod}", n.forward)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	_, port, _ := strings.Cut(listener.Addr().String(), ":")
	fmt.Println("ready", port)
	server := &http.Server{
		Handler: mux,
		// Streams are upgraded, which HTTP/2 cannot do.
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){},
		TLSConfig:    &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool, MinVersion: tls.VersionTLS12},
	}
	log.Fatal(server.ServeTLS(listener, *certificate, *key))
}
