//! The Deployment of the measurements: 39 lines, as people write them.

/// Returns its text.
pub(crate) fn deployment(name: &str, namespace: &str, team: usize, image: &str) -> String {
    format!(
        "\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
  namespace: {namespace}
  labels:
    app: {name}
    team: team-{team} # is called at night
spec:
  replicas: 0
  selector:
    matchLabels:
      app: {name}
  template:
    metadata:
      labels:
        app: {name}
        team: team-{team}
    spec:
      containers:
      - name: main
        image: {image}
        ports:
        - name: http
          containerPort: 8080
        env:
        - name: LOG_LEVEL
          value: \"info\"
        - name: UPSTREAM
          value: http://{name}-db.{namespace}.svc:5432
        resources:
          requests: {{cpu: 50m, memory: 64Mi}}
          limits: {{cpu: 500m, memory: 256Mi}}
        readinessProbe:
          httpGet: {{path: /ready, port: http}}
          periodSeconds: 10
        livenessProbe:
          httpGet: {{path: /healthz, port: http}}
          initialDelaySeconds: 15
"
    )
}
