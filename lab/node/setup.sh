# Runs inside the new Debian tree (mmdebstrap's customize hook): makes it a machine that systemd boots
# inside a container and that Minikube can provision over ssh.

# Units come up when Minikube asks for them; Debian's defaults expect hardware, consoles and timers.
rm -f /etc/systemd/system/*.wants/* /lib/systemd/system/multi-user.target.wants/* \
  /lib/systemd/system/local-fs.target.wants/* /lib/systemd/system/basic.target.wants/* \
  /lib/systemd/system/sockets.target.wants/*udev* /lib/systemd/system/sockets.target.wants/*initctl*
systemctl mask systemd-udevd.service systemd-logind.service systemd-resolved.service \
  systemd-binfmt.service getty.target console-getty.service systemd-timesyncd.service \
  apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer \
  systemd-firstboot.service systemd-networkd-wait-online.service
systemctl enable docker.service ssh.service
# pam_nologin would refuse Minikube's ssh: nothing inside a container ever ends the boot for it.
rm -f /usr/lib/tmpfiles.d/systemd-nologin.conf

# Minikube logs in as `docker` with a key it copies in, and does everything by sudo.
useradd --create-home --shell /bin/bash --gid docker --groups sudo docker
usermod --password '*' docker
echo 'docker ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/docker
install -d -o docker -g docker -m 700 /home/docker/.ssh
install -d /run/sshd

# The paths that Minikube's own units and CNI configuration name.
ln -s /usr/sbin/dockerd /usr/bin/dockerd
install -d /opt/cni /etc/kubernetes/manifests /var/lib/minikube/binaries
ln -s /usr/lib/cni /opt/cni/bin
# dockerd, kubelet and kube-proxy must write to one and the same table.
update-alternatives --set iptables /usr/sbin/iptables-legacy
update-alternatives --set ip6tables /usr/sbin/ip6tables-legacy
# dpkg made one id for all: each node makes its own.
rm -f /etc/machine-id /var/lib/dbus/machine-id /etc/ssh/ssh_host_*
touch /etc/machine-id
