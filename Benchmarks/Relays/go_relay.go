// A relay as one writes it in Go, and as the service is that the daemon replaces: net/http,
// nhooyr.io/websocket and go-redis, for each socket a Redis connection of its own and four goroutines.
//
//	GO111MODULE=off GOPATH=/usr/share/gocode go build -o go-relay go_relay.go && ./go-relay LISTEN_PORT REDIS_PORT
//
// Debian's packages of both libraries. It has no limits, no metrics and no way down, and logs nothing:
// it is no relay to be used.
package main

import (
	"context"
	"encoding/json"
	"log"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"gopkg.in/redis.v5"
	"nhooyr.io/websocket"
)

const (
	heartbeat    = 5 * time.Second
	writeTimeout = 2 * time.Second
)

var ping = []byte(`{"type":"ping"}`)

type status struct {
	Type string `json:"type"`
	Data string `json:"data"`
}

// A page and its socket, on which one goroutine writes at a time.
type page struct {
	socket *websocket.Conn
	writes sync.Mutex
}

func (p *page) write(ctx context.Context, text []byte) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	p.writes.Lock()
	defer p.writes.Unlock()
	return p.socket.Write(ctx, websocket.MessageText, text)
}

// Reads what the page says until it goes; then everything of it ends.
func (p *page) listen(ctx context.Context, end context.CancelFunc) {
	defer end()
	for {
		_, text, err := p.socket.Read(ctx)
		if err != nil {
			return
		}
		var message struct {
			Type string `json:"type"`
		}
		_ = json.Unmarshal(text, &message)
	}
}

func (p *page) beat(ctx context.Context) {
	ticker := time.NewTicker(heartbeat)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if p.write(ctx, ping) != nil {
				return
			}
		}
	}
}

// Hands on what Redis says until the page or Redis goes.
func (p *page) forward(ctx context.Context, messages *redis.PubSub) {
	for {
		message, err := messages.ReceiveMessage()
		if err != nil {
			return
		}
		text, err := json.Marshal(status{Type: "status", Data: message.Payload})
		if err != nil || p.write(ctx, text) != nil {
			return
		}
	}
}

func serve(client *redis.Client, answer http.ResponseWriter, request *http.Request) {
	socket, err := websocket.Accept(answer, request, &websocket.AcceptOptions{
		InsecureSkipVerify: true, CompressionMode: websocket.CompressionDisabled})
	if err != nil {
		return
	}
	ctx, end := context.WithCancel(request.Context())
	defer end()
	p := &page{socket: socket}
	messages, err := client.Subscribe(strings.TrimPrefix(request.URL.Path, "/"))
	if err != nil {
		return
	}
	go func() {
		<-ctx.Done()
		_ = messages.Close()
		_ = socket.Close(websocket.StatusNormalClosure, "")
	}()
	if _, err := messages.Receive(); err != nil {
		return
	}
	if p.write(ctx, ping) != nil {
		return
	}
	go p.listen(ctx, end)
	go p.beat(ctx)
	p.forward(ctx, messages)
}

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: go-relay LISTEN_PORT REDIS_PORT")
	}
	client := redis.NewClient(&redis.Options{
		Addr: "127.0.0.1:" + os.Args[2], PoolSize: 20000, MaxRetries: -1})
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Args[1],
		http.HandlerFunc(func(answer http.ResponseWriter, request *http.Request) {
			serve(client, answer, request)
		})))
}
