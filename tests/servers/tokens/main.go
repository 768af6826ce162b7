// Command tokens is the smallest honest authorization server for a registry with token auth: it knows one user, who may do
// everything, and gives anybody else pull on repositories under public/.
//
// The name and password come from TOKENS_USER and TOKENS_PASSWORD, so that they stand in no process list.
package main

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"strings"
	"time"
)

const lifetime = 5 * time.Minute

type access struct {
	Type    string   `json:"type"`
	Name    string   `json:"name"`
	Actions []string `json:"actions"`
}

// granted is what of one scope ("repository:NAME:pull,push") is given.
func granted(scope string, known bool) (access, bool) {
	first, last := strings.Index(scope, ":"), strings.LastIndex(scope, ":")
	if first == last {
		return access{}, false
	}
	a := access{scope[:first], scope[first+1 : last], strings.Split(scope[last+1:], ",")}
	if !known {
		if a.Type != "repository" || !strings.HasPrefix(a.Name, "public/") {
			return access{}, false
		}
		a.Actions = []string{"pull"}
	}
	return a, true
}

// sign makes a JWT (ES256) that carries its certificate, which the registry holds as root.
func sign(pair tls.Certificate, claims map[string]any) (string, error) {
	header, err := json.Marshal(map[string]any{
		"typ": "JWT", "alg": "ES256", "x5c": []string{base64.StdEncoding.EncodeToString(pair.Certificate[0])},
	})
	if err != nil {
		return "", err
	}
	body, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	raw := base64.RawURLEncoding
	token := raw.EncodeToString(header) + "." + raw.EncodeToString(body)
	digest := sha256.Sum256([]byte(token))
	r, s, err := ecdsa.Sign(rand.Reader, pair.PrivateKey.(*ecdsa.PrivateKey), digest[:])
	if err != nil {
		return "", err
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return token + "." + raw.EncodeToString(signature), nil
}

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "address to listen on")
	certificate := flag.String("certificate", "", "PEM file of the certificate that the registry trusts")
	key := flag.String("key", "", "PEM file of its private key (EC, P-256)")
	issuer := flag.String("issuer", "flux-tests", "issuer that the registry expects")
	flag.Parse()
	pair, err := tls.LoadX509KeyPair(*certificate, *key)
	if err != nil {
		log.Fatal(err)
	}
	user, password := os.Getenv("TOKENS_USER"), os.Getenv("TOKENS_PASSWORD")

	http.HandleFunc("GET /token", func(w http.ResponseWriter, r *http.Request) {
		name, secret, tried := r.BasicAuth()
		known := tried && name == user && secret == password
		log.Printf("%s asks for %q, known: %v", name, r.URL.Query()["scope"], known)
		if tried && !known {
			w.Header().Set("WWW-Authenticate", `Basic realm="tokens"`)
			http.Error(w, `{"details":"incorrect username or password"}`, http.StatusUnauthorized)
			return
		}
		list := []access{}
		for _, scope := range strings.Fields(strings.Join(r.URL.Query()["scope"], " ")) {
			if a, ok := granted(scope, known); ok {
				list = append(list, a)
			}
		}
		now := time.Now()
		token, err := sign(pair, map[string]any{
			"iss": *issuer, "sub": name, "aud": r.URL.Query().Get("service"), "jti": rand.Text(), "access": list,
			"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(lifetime).Unix(),
		})
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"token":%q,"access_token":%q,"expires_in":%d,"issued_at":%q}`,
			token, token, int(lifetime.Seconds()), now.UTC().Format(time.RFC3339))
	})
	log.Fatal(http.ListenAndServe(*listen, nil))
}
