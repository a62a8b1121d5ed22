#!/usr/bin/env bash
# A Slurm cluster of two nodes made of plain processes on this host, for the tests in tests/launch.
#
#   tests/slurm_cluster.sh start DIR    write DIR/slurm.conf and start the daemons
#   tests/slurm_cluster.sh node  DIR N  start the daemon of node N (n1 or n2) again
#   tests/slurm_cluster.sh stop  DIR    stop what was started, by process id
#
# With SLURM_CONF=DIR/slurm.conf in the environment, sbatch, squeue and submitit use it. Needs
# slurmctld, slurmd and munged; as root, on Debian, `start` installs those that are missing.
# Jobs may use two cores a node and are killed when they use more memory than they asked for.
set -euo pipefail

action=${1:?start, node or stop}
base=$(realpath -m "${2:?a directory}")
name=$(hostname -s)
export SLURM_CONF=$base/slurm.conf

have() { command -v "$1" >/dev/null 2>&1; }

install_missing() {
    if have slurmctld && have slurmd && have munged; then return; fi
    if [ "$(id -u)" != 0 ]; then
        echo "Slurm is not installed; as root: apt-get install slurm-wlm munge" >&2
        exit 3
    fi
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq slurm-wlm munge >/dev/null
}

start_munge() {
    if munge -n 2>/dev/null | unmunge >/dev/null 2>&1; then return; fi
    [ -s /etc/munge/munge.key ] || mungekey --create --force
    mkdir -p /run/munge /var/log/munge /var/lib/munge
    chown munge: /run/munge /var/log/munge /var/lib/munge /etc/munge/munge.key
    runuser -u munge -- munged
}

# Ports differ between directories, so that two clusters can run beside each other.
write_config() {
    local port=$((20000 + $(cksum <<<"$base" | cut -d' ' -f1) % 10000))
    mkdir -p "$base"/{state,n1,n2,log}
    cat >"$SLURM_CONF" <<EOC
ClusterName=biobench
SlurmctldHost=$name(127.0.0.1)
SlurmctldPort=$port
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CryptoType=crypto/munge
# A job that lost its node may start again after this many seconds (default: 120).
AuthInfo=cred_expire=15
StateSaveLocation=$base/state
SlurmdSpoolDir=$base/%n
SlurmctldPidFile=$base/slurmctld.pid
SlurmdPidFile=$base/%n.pid
SlurmctldLogFile=$base/log/slurmctld.log
SlurmdLogFile=$base/log/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=1000
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
MpiDefault=none
ReturnToService=2
SchedulerParameters=batch_sched_delay=1,sched_interval=5
MinJobAge=600
SlurmdTimeout=10
SlurmdParameters=config_overrides
KillWait=3
NodeName=n1 NodeHostname=$name NodeAddr=127.0.0.1 Port=$((port + 1)) CPUs=2 RealMemory=8000
NodeName=n2 NodeHostname=$name NodeAddr=127.0.0.1 Port=$((port + 2)) CPUs=2 RealMemory=8000
PartitionName=main Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP
EOC
}

wait_until_idle() {
    for _ in $(seq 150); do
        if [ "$(sinfo -h -o %D -t idle 2>/dev/null || true)" = 2 ]; then return; fi
        sleep 0.1
    done
    echo "Slurm did not come up; its logs are in $base/log" >&2
    exit 1
}

# A step that does not end would keep its node's daemon: after three seconds all of ours are killed.
stop_all() {
    local daemon
    for daemon in n1 n2 slurmctld; do
        if [ -s "$base/$daemon.pid" ]; then kill "$(cat "$base/$daemon.pid")" 2>/dev/null || true; fi
    done
    for _ in $(seq 30); do
        if [ -z "$(list_ours)" ]; then return; fi
        sleep 0.1
    done
    list_ours | xargs --no-run-if-empty kill -9 2>/dev/null || true
}

list_ours() {
    local process
    for process in /proc/[0-9]*; do
        case $(tr '\0' ' ' 2>/dev/null <"$process/cmdline") in
            slurmctld* | slurmd* | slurmstepd:*)
                if tr '\0' '\n' 2>/dev/null <"$process/environ" | grep -qx "SLURM_CONF=$SLURM_CONF"; then
                    basename "$process"
                fi
                ;;
        esac
    done
}

case $action in
    start)
        install_missing
        start_munge
        write_config
        slurmctld
        slurmd -N n1
        slurmd -N n2
        wait_until_idle
        ;;
    node)
        slurmd -N "${3:?n1 or n2}"
        ;;
    stop)
        stop_all
        ;;
    *)
        echo "start, node or stop, not '$action'" >&2
        exit 2
        ;;
esac
